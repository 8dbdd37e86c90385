# What may be copied, what is removed, and what a plan looks at and says.

variable "on_replace" {
  description = <<-EOT
    What to do with the old image after its source has moved: `delete`, `keep`, or `retag`, which keeps it under another
    tag (`keep_as`). Consumers change first.
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
  description = <<-EOT
    What to do with an image whose entry is removed: `delete`, `keep` or `refuse`. Apply a new value before you remove
    the entry.
  EOT
  type        = string
  default     = "delete"
  nullable    = false

  validation {
    condition     = contains(["delete", "keep", "refuse"], var.on_destroy)
    error_message = "on_destroy is \"delete\", \"keep\" or \"refuse\"; it is ${jsonencode(var.on_destroy)}."
  }
}

variable "source_unavailable" {
  description = <<-EOT
    What a plan does if a source is not reachable or lacks the image: `error` fails, and `use_destination` goes on with
    the image at the destination.
  EOT
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
    File of `imagesync lock`, like `images.lock.json`. It provides the digests, so a plan asks no source. It must have
    every source, with the same platforms.
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
    How a plan checks the destination: `tag` compares the digest of the tag, in one request. `deep` also looks for every
    manifest and blob, and the next apply repairs damage.
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
    What a plan says about images that change: `all` says what, why and how much to copy. For the amount it reads
    manifests (a pull on Docker Hub), except with `lock_file`. `words` leaves out the amount. `drift` reports only
    changes outside Terraform: for `terraform test`, which takes each warning for a failure.
  EOT
  type        = string
  default     = "all"
  nullable    = false

  validation {
    condition     = contains(["all", "words", "drift"], var.explain)
    error_message = "explain is \"all\", \"words\" or \"drift\"; it is ${jsonencode(var.explain)}."
  }
}
