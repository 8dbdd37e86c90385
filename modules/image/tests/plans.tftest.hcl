# A plan on made-up answers of `imagesync external`. Needs Terraform 1.7 or OpenTofu 1.8.

override_data {
  target = module.images.data.external.source
  values = { result = { ":1.0" = "{\"reference\": \"docker.io/library/busybox:latest\", \"digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"source_digest\": \"sha256:1111111111111111111111111111111111111111111111111111111111111111\", \"error\": \"\", \"kind\": \"\"}" } }
}

override_data {
  target = module.images.data.external.destination
  values = { result = { ":1.0" = "{\"digest\": \"\", \"error\": \"as the registry said\", \"kind\": \"missing\"}" } }
}

run "one_image_is_a_map_of_one" {
  command = plan
  variables {
    source_image       = "busybox"
    destination_image  = ":1.0"
    destination_prefix = "localhost:5000/app"
    explain            = "drift" # a new image would be a warning, which fails a run
  }

  assert {
    condition     = output.id == "localhost:5000/app@sha256:1111111111111111111111111111111111111111111111111111111111111111" && output.digest == "sha256:1111111111111111111111111111111111111111111111111111111111111111"
    error_message = "The id is REPOSITORY@DIGEST, known at plan: ${output.id}."
  }
}
