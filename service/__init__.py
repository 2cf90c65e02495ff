"""What every process of the cluster needs whatever it does: settings, keys, logs, a clock, health pages, an orderly end."""
