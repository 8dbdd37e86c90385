# Each fails by itself: with -target the others are left out, and an answer that is refused, such as no tags where none
# could be listed, would remove what is made of it.

output "ids" {
  description = "Each reference as `REPOSITORY@DIGEST`, by its key: for consumers."
  value = {
    # The tag is what follows the last ":" if no "/" does; the one of "oci:" or of a port is none.
    for key, image in local.found : key => join("@", [
      regex("^((?:oci:)?.*?)(?::[^:/]+)?(?:@.*)?$", image.reference)[0], image.source_digest,
    ])
  }

  precondition {
    condition     = length(local.refused) == 0
    error_message = join("\n\n", local.refused)
  }
}

output "digests" {
  description = "The digest of each whole image, by its key, like `sha256:…`."
  value       = local.digests

  precondition {
    condition     = length(local.refused) == 0
    error_message = join("\n\n", local.refused)
  }
}

output "platforms" {
  description = "With `details`, the digest of each platform's image, by key and platform. Otherwise empty."
  value       = { for key, image in local.found : key => image.platforms if var.details && image.error == "" }

  precondition {
    condition     = length(local.refused) == 0
    error_message = join("\n\n", local.refused)
  }
}

output "sizes" {
  description = "With `details`, the bytes of all layers of each image, by its key. Otherwise empty."
  value       = { for key, image in local.found : key => image.bytes if var.details && image.error == "" }
}

output "signed" {
  description = "Who has signed each image by the rules of `trust`, in words, by its key."
  value       = { for key, image in local.trusted : key => image.signed }

  precondition {
    condition     = length(local.refused) == 0
    error_message = join("\n\n", local.refused)
  }
}
