"""Where bytes lie: paths, whole files, the lock, the settings, the names inside a library."""
