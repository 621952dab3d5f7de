"""Full disks and read-only disks."""
