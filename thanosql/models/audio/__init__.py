"""Audio as people keep it (a path, a URL, a file's bytes) → waveforms: float32 `(samples,)`, mono, 16,000 Hz.

references   which file a path or URL means
remote       a URL → its bytes; download_cache keeps those that are read again
containers   first and last bytes → the kind of file, and what is missing of it
sources      an open file as libsndfile or FFmpeg reads it
decoding     an open file → its header, or blocks of samples
resampling   blocks at any rate → blocks at 16,000 Hz
reading      a reference → its header or waveform; the door where foreign errors end
access       the same, within what the settings and a statement allow
"""

from thanosql.models.audio.info import AudioError, AudioInfo
from thanosql.models.audio.reading import probe, read, read_any_length
from thanosql.models.audio.references import is_remote, locate

__all__ = ["AudioError", "AudioInfo", "is_remote", "locate", "probe", "read", "read_any_length"]
