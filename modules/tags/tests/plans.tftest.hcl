# Plans on made-up answers of `imagesync external`. Needs Terraform 1.7 or OpenTofu 1.8.

override_data {
  target = data.external.tags
  values = {
    result = {
      "app"      = "{\"error\": \"\", \"kind\": \"\", \"refused\": [], \"picked\": [{\"tag\": \"1.10\", \"key\": \"app:1.10\", \"source\": \"busybox:1.10\"}, {\"tag\": \"1.9\", \"key\": \"app:1.9\", \"source\": \"busybox:1.9\"}]}"
      "app:1.10" = "{\"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}"
      "app:1.9"  = "{\"digest\": \"sha256:2222222222222222222222222222222222222222222222222222222222222222\", \"error\": \"\", \"kind\": \"\"}"
      "empty"    = "{\"error\": \"\", \"kind\": \"\", \"refused\": [\"none is picked\"], \"picked\": []}"
      "wrong"    = "{\"error\": \"tags say nothing\", \"kind\": \"invalid\"}"
      "gone"     = "{\"error\": \"\", \"kind\": \"\", \"refused\": [], \"picked\": [{\"tag\": \"1\", \"key\": \"gone:1\", \"source\": \"busybox:1\"}]}"
      "gone:1"   = "{\"digest\": \"\", \"error\": \"as the registry said\", \"kind\": \"missing\"}"
    }
  }
}

run "nothing_to_ask" {
  command = plan
  variables { repositories = {} }

  assert {
    condition     = length(output.tags) == 0 && length(data.external.tags) == 0
    error_message = "No repository means no read."
  }
}

run "picked_tags_keep_their_order_and_are_pinned" {
  command = plan
  variables { repositories = { app = { source = "busybox", tags = { semver = "1.x" } } } }

  assert {
    condition     = jsonencode(output.tags) == "{\"app\":[\"1.10\",\"1.9\"]}"
    error_message = "The newest comes first: ${jsonencode(output.tags)}."
  }
  assert {
    condition     = output.references.app["1.9"] == "busybox:1.9@sha256:2222222222222222222222222222222222222222222222222222222222222222"
    error_message = "Tag and digest: ${jsonencode(output.references)}."
  }
}

run "rules_that_pick_nothing_fail_the_plan" {
  command = plan
  variables { repositories = { empty = { source = "busybox", tags = { latest = 1 } } } }
  expect_failures = [output.tags, output.digests, output.references]
}

run "rules_that_make_no_sense_fail_the_plan" {
  command = plan
  variables { repositories = { wrong = { source = "busybox", tags = {} } } }
  expect_failures = [output.tags, output.digests, output.references]
}

run "a_tag_whose_image_is_gone_fails_the_plan" {
  command = plan
  variables { repositories = { gone = { source = "busybox", tags = { include = ["1"] } } } }
  expect_failures = [output.tags, output.digests, output.references]
}
