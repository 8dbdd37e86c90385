# Each validation has a run that fails it. Nothing is read: a wrong variable ends the run before.

run "a_reference_with_a_space_is_refused" {
  command = plan
  variables { references = { app = "busybox --insecure" } }
  expect_failures = [var.references]
}

run "a_single_text_is_refused" {
  command = plan
  variables { references = "busybox" }
  expect_failures = [var.references]
}

run "a_platform_without_a_system_is_refused" {
  command = plan
  variables {
    references = {}
    platforms  = ["amd64"]
  }
  expect_failures = [var.platforms]
}

run "an_allowed_source_with_a_space_is_refused" {
  command = plan
  variables {
    references      = {}
    allowed_sources = ["docker.io/library/ busybox"]
  }
  expect_failures = [var.allowed_sources]
}

run "a_default_of_trust_that_is_neither_is_refused" {
  command = plan
  variables {
    references = {}
    trust      = { default = "deny", rules = [] }
  }
  expect_failures = [var.trust]
}

run "an_empty_command_is_refused" {
  command = plan
  variables {
    references = {}
    command    = []
  }
  expect_failures = [var.command]
}
