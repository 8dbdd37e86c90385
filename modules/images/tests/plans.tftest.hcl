# Plans on made-up answers of `imagesync external`: no program runs, no registry is asked. Needs Terraform 1.7 or OpenTofu 1.8.

override_data {
  target = data.external.source
  values = {
    result = {
      "a"                               = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      "localhost:5000/b"                = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      "oci:layout:1.0"                  = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      "docker://localhost:5000/c/d:1.0" = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      ":1.0"                            = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      "refused"                         = "{\"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\", \"refused\": [\"it is refused\"]}"
      "gone"                            = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"\", \"source_digest\": \"\", \"error\": \"as the registry said\", \"kind\": \"missing\"}"
      "denied"                          = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"\", \"source_digest\": \"\", \"error\": \"as the registry said\", \"kind\": \"denied\"}"
    }
  }
}

override_data {
  target = data.external.destination
  values = {
    result = {
      "a"                               = "{\"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      "localhost:5000/b"                = "{\"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      "oci:layout:1.0"                  = "{\"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      "docker://localhost:5000/c/d:1.0" = "{\"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      ":1.0"                            = "{\"digest\": \"\", \"error\": \"as the registry said\", \"kind\": \"missing\"}"
      "refused"                         = "{\"digest\": \"\", \"error\": \"\", \"kind\": \"missing\"}"
      "gone"                            = "{\"digest\": \"sha256:2222222222222222222222222222222222222222222222222222222222222222\", \"error\": \"\", \"kind\": \"\"}"
      "denied"                          = "{\"digest\": \"sha256:2222222222222222222222222222222222222222222222222222222222222222\", \"error\": \"\", \"kind\": \"\"}"
    }
  }
}

variables {
  images  = { "a" = { source = "busybox" } }
  explain = "drift" # a new image would be a warning, which fails a run
}

run "an_empty_map_is_allowed" {
  command = plan
  variables { images = {} }

  assert {
    condition     = length(output.ids) == 0 && length(terraform_data.copies) == 0
    error_message = "No image means no id and no copy."
  }
}

run "an_id_is_the_repository_without_scheme_and_tag" {
  command = plan
  variables {
    images = {
      "a"                               = { source = "busybox" }
      "localhost:5000/b"                = { source = "busybox" }
      "oci:layout:1.0"                  = { source = "busybox" }
      "docker://localhost:5000/c/d:1.0" = { source = "busybox" }
    }
  }

  assert {
    condition     = [for id in values(output.ids) : split("@", id)[0]] == ["a", "localhost:5000/c/d", "localhost:5000/b", "oci:layout"]
    error_message = "The tag goes, a port stays: ${jsonencode(values(output.ids))}."
  }
}

run "a_key_of_a_tag_follows_the_prefix_itself" {
  command = plan
  variables {
    images             = { ":1.0" = { source = "busybox" }, "a" = { source = "busybox" } }
    destination_prefix = "localhost:5000/mirror"
  }

  assert {
    condition     = [for id in values(output.ids) : split("@", id)[0]] == ["localhost:5000/mirror", "localhost:5000/mirror/a"]
    error_message = "PREFIX:TAG and PREFIX/KEY: ${jsonencode(values(output.ids))}."
  }
}

run "an_images_own_platforms_come_before_those_of_all" {
  command = plan
  variables {
    images = {
      "a"                = { source = "busybox" }
      "localhost:5000/b" = { source = "busybox", platforms = ["windows(10.0.20348)/amd64", "linux/arm/v7"] }
      "oci:layout:1.0"   = { source = "busybox", platforms = [] }
    }
    platforms = ["linux/amd64"]
  }

  assert {
    condition = jsondecode(data.external.source.query.all).platforms == ["linux/amd64"] && jsondecode(data.external.source.query.images) == {
      "a"                = { reference = "busybox" }
      "localhost:5000/b" = { reference = "busybox", platforms = ["windows(10.0.20348)/amd64", "linux/arm/v7"] }
      "oci:layout:1.0"   = { reference = "busybox", platforms = [] }
    }
    error_message = "An empty list is all platforms: ${jsonencode(data.external.source.query)}."
  }
}

run "an_images_own_referrers_come_before_those_of_all" {
  command = plan
  variables {
    images = {
      "a"              = { source = "busybox" }
      "oci:layout:1.0" = { source = "busybox", referrers = false }
    }
    referrers = true
  }

  assert {
    condition = alltrue([for side in [data.external.source, data.external.destination] : (
      jsondecode(side.query.all).referrers &&
      { for key, image in jsondecode(side.query.images) : key => try(image.referrers, null) } == { "a" = null, "oci:layout:1.0" = false }
    )])
    error_message = "Both sides are asked for the same: ${data.external.destination.query.images}."
  }
  assert {
    condition     = [for image in values(terraform_data.image) : endswith(image.input, " --referrers")] == [true, false]
    error_message = "They are removed only where they were copied."
  }
}

run "policies_reach_the_delete_command" {
  command = plan
  variables {
    on_replace = "keep"
    on_destroy = "refuse"
    command    = ["python3", "imagesync 100%"]
  }

  assert {
    condition = terraform_data.image["a@sha256:1111111111111111111111111111111111111111111111111111111111111111"].input == join(" ", [
      "a", "removed", "by:", "python3", "imagesync%20100%25", "delete", "--claimant", "${terraform_data.call.input}/a",
      "--digest", "sha256:1111111111111111111111111111111111111111111111111111111111111111", "--on-replace", "keep", "--on-destroy", "refuse",
    ])
    error_message = "One imagesync call, no shell: ${terraform_data.image["a@sha256:1111111111111111111111111111111111111111111111111111111111111111"].input}."
  }
}

run "a_deep_look_is_asked_for_by_name" {
  command = plan
  variables {
    images = { "a" = { source = "busybox" } }
    verify = "deep"
  }

  assert {
    condition = jsondecode(data.external.destination.query.images) == { a = { reference = "a", copy = {
      source = "busybox", digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111", source_digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
      } } } && jsondecode(data.external.destination.query.all) == { referrers = false, verify = "deep", copy = {
      estimated = false, max_size_bytes = 0, required_platforms = [], signed = false, minimum_age = null
    } }
    error_message = "A reference and how to look at it: ${jsonencode(data.external.destination.query)}."
  }
}

run "a_missing_source_fails_the_plan" {
  command = plan
  variables { images = { "gone" = { source = "busybox" } } }
  expect_failures = [terraform_data.image["gone@"]]
}

run "a_missing_source_leaves_the_destination_if_told_so" {
  command = plan
  variables {
    images             = { "gone" = { source = "busybox" } }
    source_unavailable = "use_destination"
  }
  expect_failures = [check.source_available] # a warning

  assert {
    condition     = output.digests == { "gone" = "sha256:2222222222222222222222222222222222222222222222222222222222222222" }
    error_message = "The digest is the destination's: ${jsonencode(output.digests)}."
  }
}

run "a_denied_source_fails_the_plan_all_the_same" {
  command = plan
  variables {
    images             = { "denied" = { source = "busybox" } }
    source_unavailable = "use_destination"
  }
  expect_failures = [terraform_data.image["denied@"]]
}

run "a_new_image_is_explained" {
  command = plan
  variables {
    images  = { ":1.0" = { source = "busybox" } }
    explain = "all"
  }
  expect_failures = [check.changes] # a warning

  assert {
    condition     = output.changes[":1.0"].change == "new" && output.changes[":1.0"].summary == "is new, from busybox"
    error_message = "The change in words: ${output.changes[":1.0"].summary}."
  }
}

run "what_is_refused_fails_the_plan" {
  command = plan
  variables { images = { "refused" = { source = "busybox" } } }
  expect_failures = [terraform_data.image["refused@sha256:1111111111111111111111111111111111111111111111111111111111111111"]]
}

run "rules_and_lock_reach_the_question" {
  command = plan
  variables {
    allowed_sources = ["quay.io/**"]
    require_digest  = true
    lock_file       = "images.lock.json"
  }

  assert {
    condition = data.external.source.query.lock_file == "images.lock.json" && (
      jsondecode(data.external.source.query.rules) == { allowed_sources = ["quay.io/**"], require_digest = true }
    )
    error_message = "imagesync decides: ${jsonencode(data.external.source.query)}."
  }
}
