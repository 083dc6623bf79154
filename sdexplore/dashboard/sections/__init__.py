"""The sections of the dashboard: one file for each tab, with the name of the tab."""
