#!/usr/bin/env python3
"""Runs a test program on a PostgreSQL cluster made for it: with-postgresql.py PROGRAM [ARGUMENT …]"""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'support'))
from postgresql import Cluster

with Cluster() as cluster:
    status = subprocess.run(sys.argv[1:], env={**os.environ, 'VIGIE_TEST_POSTGRESQL': cluster.url}).returncode
sys.exit(status)
