"""What a run is asked to change, as frozen values: JSON, no torch."""
