"""Widgets: the linked explorer and the dashboards, in a notebook."""
