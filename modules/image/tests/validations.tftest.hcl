# Each validation of this module has a run that fails it. The rules for what it hands on are in ../images. The inner module may be read before a wrong option ends the run, hence the answers.

override_data {
  target = module.images.data.external.source
  values = {
    result = {
      ":1.0"                         = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      "registry.example.com/app:1.0" = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
    }
  }
}

override_data {
  target = module.images.data.external.destination
  values = {
    result = {
      ":1.0"                         = "{\"digest\": \"\", \"error\": \"as the registry said\", \"kind\": \"missing\"}"
      "registry.example.com/app:1.0" = "{\"digest\": \"\", \"error\": \"as the registry said\", \"kind\": \"missing\"}"
    }
  }
}

run "an_empty_source_is_refused" {
  command = plan
  variables {
    source_image      = ""
    destination_image = "registry.example.com/app:1.0"
  }
  expect_failures = [var.source_image]
}

run "a_source_with_a_space_is_refused" {
  command = plan
  variables {
    source_image      = "busybox --insecure"
    destination_image = "registry.example.com/app:1.0"
  }
  expect_failures = [var.source_image]
}

run "an_empty_destination_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = ""
  }
  expect_failures = [var.destination_image]
}

run "a_destination_with_a_space_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/my app"
  }
  expect_failures = [var.destination_image]
}

run "a_destination_by_digest_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app@sha256:1111111111111111111111111111111111111111111111111111111111111111"
  }
  expect_failures = [var.destination_image]
}
