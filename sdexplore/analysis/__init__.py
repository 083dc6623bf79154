"""Trace in, numbers out: attention, guidance, trajectory. numpy only, so a saved trace is analysed anywhere."""
