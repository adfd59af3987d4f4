// The build of the reference page replaces this file.
