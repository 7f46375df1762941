"""What lies packed in a page that opens on a river."""

import base64
import json
import re
import zlib


def packed(text):
    """What lies packed in a page that opens on a river."""
    return json.loads(zlib.decompress(base64.b85decode(re.search(r'id="packed">(.*?)</script>', text)[1].replace(",", "<"))))


def graph_data(text):
    """The data of the graph of such a page."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', packed(text)["graph"])[1])
