"""What lies packed in a page that opens on a river."""

import base64
import gzip
import json
import re


def packed(text):
    """What lies packed in a page that opens on a river."""
    return json.loads(gzip.decompress(base64.b64decode(re.search(r'id="packed">(.*?)</script>', text)[1])))


def graph_data(text):
    """The data of the graph of such a page."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', packed(text)["graph"])[1])
