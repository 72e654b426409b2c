"""Takes a mounted file system its disk away, as a power cut does: what was not synced is not written any more.

usage: cut_power.py MOUNTPOINT

Asks ext4 to shut down without flushing its journal (ioctl EXT4_IOC_SHUTDOWN, flag NOLOGFLUSH); needs root.
"""

import fcntl
import os
import struct
import sys

SHUTDOWN, WITHOUT_LOG = 0x8004587D, 2

folder = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", WITHOUT_LOG))
