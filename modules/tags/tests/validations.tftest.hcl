# Each validation has a run that fails it. Nothing is read: a wrong variable ends the run before.

run "a_source_with_a_space_is_refused" {
  command = plan
  variables { repositories = { app = { source = "busybox --insecure", tags = { latest = 1 } } } }
  expect_failures = [var.repositories]
}

run "tags_of_null_are_refused" {
  command = plan
  variables { repositories = { app = { source = "busybox", tags = null } } }
  expect_failures = [var.repositories]
}

run "a_name_with_a_colon_is_refused" {
  command = plan
  variables { repositories = { "app:1" = { source = "busybox", tags = { latest = 1 } } } }
  expect_failures = [var.repositories]
}

run "an_empty_command_is_refused" {
  command = plan
  variables {
    repositories = {}
    command      = []
  }
  expect_failures = [var.command]
}
