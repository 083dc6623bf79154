"""What a loaded pipeline is, without a run: components, configurations, tree, architecture, schedule, doctor."""
