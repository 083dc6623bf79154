"""The tabs of the dashboard: one file a tab, named as the tab is."""
