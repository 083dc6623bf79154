"""Calibration: maps of words scored on scenes whose masks are known. Numbers come from `measuring.calibrate`."""
