# What may be copied, what is removed, and what a plan looks at and says.

variable "on_replace" {
  description = <<-EOT
    What becomes of the old image once its source has moved: `delete`, `keep`, or `retag`, which keeps it under a tag of
    its own (`keep_as`).
  EOT
  type        = string
  default     = "delete"
  nullable    = false

  validation {
    condition     = contains(["delete", "keep", "retag"], var.on_replace)
    error_message = "on_replace is \"delete\", \"keep\" or \"retag\"; it is ${jsonencode(var.on_replace)}."
  }
}

variable "on_destroy" {
  description = "What becomes of an image whose entry is removed: `delete`, `keep` or `refuse`. Apply it first."
  type        = string
  default     = "delete"
  nullable    = false

  validation {
    condition     = contains(["delete", "keep", "refuse"], var.on_destroy)
    error_message = "on_destroy is \"delete\", \"keep\" or \"refuse\"; it is ${jsonencode(var.on_destroy)}."
  }
}

variable "source_unavailable" {
  description = "What a plan does when a source is away: `error` fails, `use_destination` keeps what is there."
  type        = string
  default     = "error"
  nullable    = false

  validation {
    condition     = contains(["error", "use_destination"], var.source_unavailable)
    error_message = "source_unavailable is \"error\" or \"use_destination\"."
  }
}

variable "lock_file" {
  description = <<-EOT
    A file that `imagesync lock` has written, like `images.lock.json`. It gives the digests, and a plan asks no source.
    It must have every source, with the same platforms.
  EOT
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|\\.json$", var.lock_file))
    error_message = "lock_file is like \"images.lock.json\"; it is ${jsonencode(var.lock_file)}."
  }
}

variable "verify" {
  description = <<-EOT
    How a plan looks at the destination: `tag` compares the tag's digest, by one request. `deep` looks for every
    manifest and blob too, and the next apply brings what is missing or wrong.
  EOT
  type        = string
  default     = "tag"
  nullable    = false

  validation {
    condition     = contains(["tag", "deep"], var.verify)
    error_message = "verify is \"tag\" or \"deep\"; it is ${jsonencode(var.verify)}."
  }
}

variable "explain" {
  description = <<-EOT
    What a plan says of images that change: `all` tells what, why and how much is copied. It reads their manifests for
    that (a pull on Docker Hub), but not with `lock_file`. `words` leaves out how much. `drift` tells only what was done
    outside Terraform: `terraform test` takes each warning for a failure.
  EOT
  type        = string
  default     = "all"
  nullable    = false

  validation {
    condition     = contains(["all", "words", "drift"], var.explain)
    error_message = "explain is \"all\", \"words\" or \"drift\"; it is ${jsonencode(var.explain)}."
  }
}
