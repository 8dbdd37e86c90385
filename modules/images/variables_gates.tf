# Which images may be mirrored at all: a plan fails where one may not.

variable "allowed_sources" {
  description = <<-EOT
    Patterns of allowed sources: repositories, or references with a tag, like `docker.io/library/*` or
    `quay.io/org/app:1.*`. A plan with another source fails. `*` matches anything without a `/`, and `**` matches
    anything. Docker Hub's short names work too.
  EOT
  type        = list(string)
  default     = ["**"]
  nullable    = false

  validation {
    condition     = alltrue([for pattern in var.allowed_sources : can(regex("^[^\\s<>]+$", pattern))])
    error_message = "Each of allowed_sources is a pattern without spaces; they are ${jsonencode(var.allowed_sources)}."
  }
}

variable "require_digest" {
  description = "Whether every source must have a digest, like `busybox:1.36@sha256:…`, or be pinned by `lock_file`."
  type        = bool
  default     = false
  nullable    = false
}

variable "required_platforms" {
  description = "Platforms that every copied image must have, like `[\"linux/amd64\"]`. A plan reads manifests for it."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.required_platforms : can(regex("^[^\\s,/]+(/[^\\s,/]+){1,2}$", one))])
    error_message = "Each of required_platforms is like \"linux/arm\"; they are ${jsonencode(var.required_platforms)}."
  }
}

variable "max_size_bytes" {
  description = "Maximum size of a copied image in bytes, all platforms together. 0 sets no limit."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.max_size_bytes >= 0 && floor(var.max_size_bytes) == var.max_size_bytes
    error_message = "max_size_bytes is a number of bytes, or 0 for no limit; it is ${var.max_size_bytes}."
  }
}

variable "require_signature" {
  description = <<-EOT
    Whether every image must have a signature, at its root or at each image of its index. Signatures are not verified.
    Each plan asks the source, unless `referrers` copies them.
  EOT
  type        = bool
  default     = false
  nullable    = false
}
