# Each validation has a run that fails it, and each option one that passes with every allowed value (plans.tftest.hcl).
# Nothing is read or copied. Needs Terraform 1.7 or OpenTofu 1.8.

override_data {
  target = data.external.source
  values = { result = {} }
}

override_data {
  target = data.external.destination
  values = { result = {} }
}

run "a_key_with_a_space_is_refused" {
  command = plan
  variables { images = { "registry.example.com/my app" = { source = "busybox" } } }
  expect_failures = [var.images]
}

run "an_empty_key_is_refused" {
  command = plan
  variables { images = { "" = { source = "busybox" } } }
  expect_failures = [var.images]
}

run "a_key_that_ends_with_a_slash_is_refused" {
  command = plan
  variables { images = { "registry.example.com/app/" = { source = "busybox" } } }
  expect_failures = [var.images]
}

run "a_destination_by_digest_is_refused" {
  command = plan
  variables { images = { "registry.example.com/app@sha256:8d8b68ec67e807c4fb762bcc5c17ff2b74030bac89f6c435506627dc3ffe6876" = { source = "busybox" } } }
  expect_failures = [var.images]
}

run "a_key_with_and_without_latest_is_one_destination_too_often" {
  command = plan
  variables { images = { "app" = { source = "busybox" }, "app:latest" = { source = "alpine" } } }
  expect_failures = [var.images]
}

run "a_key_with_and_without_docker_scheme_is_one_destination_too_often" {
  command = plan
  variables { images = { "localhost:5000/app:1" = { source = "busybox" }, "docker://localhost:5000/app:1" = { source = "alpine" } } }
  expect_failures = [var.images]
}

run "a_key_with_a_tag_and_with_tags_is_refused" {
  command = plan
  variables { images = { "localhost:5000/app:1.0" = { source = "busybox", tags = { semver = "1.x" } } } }
  expect_failures = [var.images]
}

run "the_prefix_itself_without_tags_is_refused" {
  command = plan
  variables { images = { ":" = { source = "busybox" } } }
  expect_failures = [var.images]
}

run "a_repository_is_one_destination_too_often" {
  command = plan
  variables { images = { "docker://app" = { source = "busybox", tags = { semver = "1.x" } }, "app" = { source = "alpine", tags = { latest = 1 } } } }
  expect_failures = [var.images]
}

run "an_empty_source_is_refused" {
  command = plan
  variables { images = { "app" = { source = "" } } }
  expect_failures = [var.images]
}

run "a_source_of_null_is_refused" {
  command = plan
  variables { images = { "app" = { source = null } } }
  expect_failures = [var.images]
}

run "a_source_with_a_space_is_refused" {
  command = plan
  variables { images = { "app" = { source = "busybox --insecure" } } }
  expect_failures = [var.images]
}

run "platforms_in_one_string_are_refused" {
  command = plan
  variables {
    images    = {}
    platforms = ["linux/amd64,linux/arm64"]
  }
  expect_failures = [var.platforms]
}

run "a_prefix_that_ends_with_a_slash_is_refused" {
  command = plan
  variables {
    images             = {}
    destination_prefix = "registry.example.com/mirror/"
  }
  expect_failures = [var.destination_prefix]
}

run "a_prefix_with_a_digest_is_refused" {
  command = plan
  variables {
    images             = {}
    destination_prefix = "registry.example.com/app@sha256"
  }
  expect_failures = [var.destination_prefix]
}

run "an_unknown_on_replace_is_refused" {
  command = plan
  variables {
    images     = {}
    on_replace = "refuse"
  }
  expect_failures = [var.on_replace]
}

run "an_unknown_on_destroy_is_refused" {
  command = plan
  variables {
    images     = {}
    on_destroy = "retain"
  }
  expect_failures = [var.on_destroy]
}

run "an_unknown_source_unavailable_is_refused" {
  command = plan
  variables {
    images             = {}
    source_unavailable = "ignore"
  }
  expect_failures = [var.source_unavailable]
}

run "a_lock_file_that_is_no_json_is_refused" {
  command = plan
  variables {
    images    = {}
    lock_file = "images.yaml"
  }
  expect_failures = [var.lock_file]
}

run "an_unknown_verify_is_refused" {
  command = plan
  variables {
    images = {}
    verify = "always"
  }
  expect_failures = [var.verify]
}

run "an_empty_command_is_refused" {
  command = plan
  variables {
    images  = {}
    command = []
  }
  expect_failures = [var.command]
}

run "a_command_with_an_empty_argument_is_refused" {
  command = plan
  variables {
    images  = {}
    command = ["imagesync", ""]
  }
  expect_failures = [var.command]
}

run "an_allowed_source_with_a_space_is_refused" {
  command = plan
  variables {
    images          = {}
    allowed_sources = ["docker.io/library/ busybox"]
  }
  expect_failures = [var.allowed_sources]
}

run "an_empty_allowed_source_is_refused" {
  command = plan
  variables {
    images          = {}
    allowed_sources = [""]
  }
  expect_failures = [var.allowed_sources]
}

run "a_required_platform_without_a_system_is_refused" {
  command = plan
  variables {
    images             = {}
    required_platforms = ["amd64"]
  }
  expect_failures = [var.required_platforms]
}

run "a_negative_size_is_refused" {
  command = plan
  variables {
    images         = {}
    max_size_bytes = -1
  }
  expect_failures = [var.max_size_bytes]
}

run "a_size_that_is_no_whole_number_is_refused" {
  command = plan
  variables {
    images         = {}
    max_size_bytes = 0.5
  }
  expect_failures = [var.max_size_bytes]
}

run "an_unknown_explain_is_refused" {
  command = plan
  variables {
    images  = {}
    explain = "none"
  }
  expect_failures = [var.explain]
}

run "a_default_of_trust_that_is_neither_is_refused" {
  command = plan
  variables {
    images = {}
    trust  = { default = "deny", rules = [] }
  }
  expect_failures = [var.trust]
}

run "an_unknown_verify_trust_is_refused" {
  command = plan
  variables {
    images       = {}
    verify_trust = "never"
  }
  expect_failures = [var.verify_trust]
}

run "an_unknown_overwrite_is_refused" {
  command = plan
  variables {
    images    = {}
    overwrite = "sometimes"
  }
  expect_failures = [var.overwrite]
}

run "a_keep_as_without_its_parts_is_refused" {
  command = plan
  variables {
    images  = {}
    keep_as = "{tag}-{date}"
  }
  expect_failures = [var.keep_as]
}

run "a_keep_as_with_other_parts_is_refused" {
  command = plan
  variables {
    images  = {}
    keep_as = "{tag}-{date}-{digest}-{name}"
  }
  expect_failures = [var.keep_as]
}

run "a_keep_last_that_is_no_number_of_images_is_refused" {
  command = plan
  variables {
    images    = {}
    keep_last = -1
  }
  expect_failures = [var.keep_last]
}

run "a_minimum_age_without_a_unit_is_refused" {
  command = plan
  variables {
    images      = {}
    minimum_age = "72"
  }
  expect_failures = [var.minimum_age]
}

run "an_unknown_minimum_age_new_is_refused" {
  command = plan
  variables {
    images          = {}
    minimum_age_new = "skip"
  }
  expect_failures = [var.minimum_age_new]
}

run "an_ignored_age_of_no_digest_is_refused" {
  command = plan
  variables {
    images         = {}
    ignore_age_for = ["latest"]
  }
  expect_failures = [var.ignore_age_for]
}
