"""From a source (hub id, folder, file) to a pipeline, and what a source says before it is loaded."""
