"""Pictures against those of DCMTK's dcm2pnm, an independent renderer, within stated limits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.rendering.compare import compare, files

# Each kind of pixels once: all of them take a minute, by `python -m tests.rendering.compare`.
CHOSEN = (
    *("CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "rtdose.dcm"),
    *(
        "emri_small.dcm",
        "SC_rgb.dcm",
        "SC_rgb_16bit.dcm",
        "color-pl.dcm",
        "color-px.dcm",
        "ExplVR_BigEnd.dcm",
    ),
    *("SC_ybr_full_uncompressed.dcm", "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_jpeg_dcmtk.dcm"),
    *("examples_palette.dcm", "TestPattern_Palette.dcm", "TestPattern_Palette_16.dcm", "OBXXXX1A.dcm"),
    *("vlut_04.dcm", "mlut_18.dcm", "weasis-dicom-tools__overlay.dcm", "signed-raw-9bit.dcm"),
    *("RG3_J2KI.dcm", "JPGExtended.dcm", "J2K_pixelrep_mismatch.dcm", "CR1/6154", "CT2/17106", "MR1/4919"),
    *("highdicom__dx_image.dcm", "SC_rgb_small_odd.dcm", "examples_ybr_color.dcm", "liver_1frame.dcm"),
)
MEAN, LARGEST = 1.0, 2
"""DCMTK cuts fractions of a level off where Filmroom rounds: one level, two where colours are converted."""


def _chosen() -> list[object]:
    return [
        pytest.param(path, id=name.rsplit("/", 1)[-1])
        for name, path in files()
        if name.endswith(CHOSEN) and "_rle" not in name.lower()
    ]


@pytest.mark.skipif(shutil.which("dcm2pnm") is None, reason="no dcm2pnm of DCMTK")
@pytest.mark.parametrize("path", _chosen())
def test_levels_are_those_of_dcmtk(path: Path, tmp_path: Path) -> None:
    found = compare(path.name, path, tmp_path)
    if found is not None and found.mean is not None and found.largest is not None:
        assert found.mean <= MEAN
        assert found.largest <= LARGEST
