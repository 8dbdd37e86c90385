# Each validation has a run that fails it. The inner module may be read before a wrong option ends the run, hence the answers.

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

run "a_prefix_that_ends_with_a_slash_is_refused" {
  command = plan
  variables {
    source_image       = "busybox"
    destination_image  = ":1.0"
    destination_prefix = "registry.example.com/app/"
  }
  expect_failures = [var.destination_prefix]
}

run "an_unknown_on_replace_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    on_replace        = "refuse"
  }
  expect_failures = [var.on_replace]
}

run "a_platform_without_a_system_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    platforms         = ["amd64"]
  }
  expect_failures = [var.platforms]
}

run "an_unknown_on_destroy_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    on_destroy        = "retain"
  }
  expect_failures = [var.on_destroy]
}

run "an_unknown_source_unavailable_is_refused" {
  command = plan
  variables {
    source_image       = "busybox"
    destination_image  = "registry.example.com/app:1.0"
    source_unavailable = "ignore"
  }
  expect_failures = [var.source_unavailable]
}

run "a_lock_file_that_is_no_json_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    lock_file         = "images.yaml"
  }
  expect_failures = [var.lock_file]
}

run "an_unknown_verify_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    verify            = "always"
  }
  expect_failures = [var.verify]
}

run "an_empty_command_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    command           = []
  }
  expect_failures = [var.command]
}

run "an_allowed_source_with_a_space_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    allowed_sources   = ["docker.io/library/ busybox"]
  }
  expect_failures = [var.allowed_sources]
}

run "an_empty_allowed_source_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    allowed_sources   = [""]
  }
  expect_failures = [var.allowed_sources]
}

run "a_required_platform_without_a_system_is_refused" {
  command = plan
  variables {
    source_image       = "busybox"
    destination_image  = "registry.example.com/app:1.0"
    required_platforms = ["amd64"]
  }
  expect_failures = [var.required_platforms]
}

run "a_negative_size_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    max_size_bytes    = -1
  }
  expect_failures = [var.max_size_bytes]
}

run "a_size_that_is_no_whole_number_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    max_size_bytes    = 0.5
  }
  expect_failures = [var.max_size_bytes]
}

run "an_unknown_explain_is_refused" {
  command = plan
  variables {
    source_image      = "busybox"
    destination_image = "registry.example.com/app:1.0"
    explain           = "none"
  }
  expect_failures = [var.explain]
}
