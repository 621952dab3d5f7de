"""Campaigns that break a registry in every way and count what is lost; `scorecard` runs them all."""
