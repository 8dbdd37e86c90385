# Plans on made-up answers of `imagesync external`. Needs Terraform 1.7 or OpenTofu 1.8.

override_data {
  target = data.external.images
  values = {
    result = {
      "app"                = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\", \"refused\": []}"
      "localhost:5000/b:1" = "{\"reference\": \"localhost:5000/b:1\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:2222222222222222222222222222222222222222222222222222222222222222\", \"error\": \"\", \"kind\": \"\", \"refused\": []}"
      "denied"             = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"\", \"source_digest\": \"\", \"error\": \"as the registry said\", \"kind\": \"denied\", \"refused\": []}"
      "refused"            = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\", \"refused\": [\"it is refused\"]}"
    }
  }
}

override_data {
  target = data.external.trust
  values = { result = { "app" = "{\"signed\": \"\", \"refused\": [\"nobody has signed it\"]}" } }
}

run "nothing_to_ask" {
  command = plan
  variables { references = {} }

  assert {
    condition     = length(output.ids) == 0 && length(data.external.images) == 0
    error_message = "No reference means no read."
  }
}

run "a_map_has_its_keys" {
  command = plan
  variables { references = { app = "busybox" } }

  assert {
    condition     = output.ids == { app = "docker.io/library/busybox@sha256:1111111111111111111111111111111111111111111111111111111111111111" }
    error_message = "The tag gives way to the digest: ${jsonencode(output.ids)}."
  }
}

run "a_list_is_keyed_by_its_references_and_digests_are_those_of_the_whole" {
  command = plan
  variables {
    references = ["localhost:5000/b:1", "localhost:5000/b:1"]
    platforms  = ["linux/amd64"]
  }

  assert {
    condition     = output.ids == { "localhost:5000/b:1" = "localhost:5000/b@sha256:2222222222222222222222222222222222222222222222222222222222222222" }
    error_message = "A port is no tag: ${jsonencode(output.ids)}."
  }
}

run "a_set_is_keyed_by_its_references" {
  command = plan
  variables { references = toset(["localhost:5000/b:1"]) }

  assert {
    condition     = keys(output.digests) == ["localhost:5000/b:1"]
    error_message = "As a list is: ${jsonencode(output.digests)}."
  }
}

run "what_cannot_be_read_fails_the_plan" {
  command = plan
  variables { references = { denied = "busybox" } }
  expect_failures = [output.ids, output.digests, output.platforms, output.signed]
}

run "what_is_refused_fails_the_plan" {
  command = plan
  variables { references = { refused = "busybox" } }
  expect_failures = [output.ids, output.digests, output.platforms, output.signed]
}

run "what_nobody_has_signed_fails_the_plan" {
  command = plan
  variables {
    references = { app = "busybox" }
    trust      = { rules = [] }
  }
  expect_failures = [output.ids, output.digests, output.platforms, output.signed]
}
