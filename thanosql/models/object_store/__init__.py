"""A store whose truth is object storage (s3://bucket/prefix): the door to it, its log of versions, its copy on this machine."""
