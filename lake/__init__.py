"""What is kept, what it is called and who may have it: storage, catalogue, releases, access.

The lake knows no science: files, names, checksums, headers and versions go in
and out, and nothing here imports the pipeline or the cluster.
"""

from __future__ import annotations
