"""What lies packed in a page that opens on a river."""

import base64
import gzip
import json
import re


def packed(text):
    """What lies packed in a page that opens on a river."""
    line, _, planes = gzip.decompress(base64.b64decode(re.search(r'id="packed">(.*?)</script>', text)[1])).partition(b"\n")
    data = json.loads(line)
    assert len(planes) == sum(data["blobs"])
    return data


def graph_data(text):
    """The data of the graph of such a page."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', packed(text)["graph"])[1])
