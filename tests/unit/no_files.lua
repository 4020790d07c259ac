-- Its folder is not there: for a test of the loader.
return {
  api = 1, name = "no_files",
  routes = { ["GET /*"] = { auth = "none", files = "no_such_folder" } },
}
