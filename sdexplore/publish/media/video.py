"""MP4 files; needs the extra `video` (PyAV)."""

import io
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from PIL import Image

from ...base.errors import PublishError

_TICKS = 1000  # a second


def mp4(images: Sequence[Image.Image], times: Sequence[float], crf: int) -> bytes:
    """`images` as an MP4 file in H.264, which all browsers play; each image stays for its time in seconds.

    Raises:
        PublishError: PyAV is not installed, or its build has no H.264.
    """
    try:
        import av
    except ImportError as error:
        raise PublishError(
            "MP4 needs the extra video: pip install 'sdexplore[video]'; .webp and .gif need nothing more"
        ) from error
    if "libx264" not in av.codecs_available:
        raise PublishError(
            "this PyAV encodes no H.264 (libx264): pip install av from PyPI; .webp and .gif need neither"
        )
    wide, high = (
        side - side % 2 for side in images[0].size
    )  # 4:2:0 stores colour for every second pixel, so sides are even
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = wide, high, "yuv420p"
        stream.options = {"crf": str(crf), "preset": "medium"}
        stream.codec_context.max_b_frames = 0  # with B-frames the container would lose the duration of the last frame
        stream.codec_context.time_base = Fraction(1, _TICKS)
        clock = 0
        shown = [*zip(images, times, strict=True), (images[-1], 0.0)]  # one more frame ends the last one
        for image, time in shown:
            pixels = np.asarray(image.convert("RGB").crop((0, 0, wide, high)))
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = clock, Fraction(1, _TICKS)
            container.mux(stream.encode(frame))
            clock += max(1, round(_TICKS * time))
        container.mux(stream.encode(None))
    return buffer.getvalue()
