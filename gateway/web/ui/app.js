// The build of the web UI replaces this file.
