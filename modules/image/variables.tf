# The rules for values are those of ../images, which has the whole story of each variable too.

variable "source_image" {
  description = "Image to copy, like `docker.io/library/busybox:1.36`, or by digest."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^\\S+$", var.source_image))
    error_message = "source_image is like \"docker.io/library/busybox:1.36\"; it is ${jsonencode(var.source_image)}."
  }
}

variable "destination_image" {
  description = "Destination, like `registry.example.com/app:1.0`, or `:1.0` after a `destination_prefix`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^\\s@]*[^\\s@/:]$", var.destination_image))
    error_message = "destination_image is like \"localhost/app:1.0\"; it is ${jsonencode(var.destination_image)}."
  }
}

variable "destination_prefix" {
  description = "Beginning of the destination, like `registry.example.com/mirror`. May be known only at apply."
  type        = string
  default     = ""
}

variable "platforms" {
  description = "Platforms to copy, like `[\"linux/amd64\"]`. An empty list copies all."
  type        = list(string)
  default     = []
}

variable "referrers" {
  description = "Whether to copy signatures, SBOMs and attestations, and to remove them with the image."
  type        = bool
  default     = false
}

variable "wait_for" {
  description = "Any value that must exist before the copy. A `depends_on` of the module fails the plan."
  type        = any
  default     = null
}

variable "command" {
  description = "Program that runs imagesync, like `[\"python3\", \"imagesync.pyz\"]`. No shell runs."
  type        = list(string)
  default     = ["imagesync"]
}

variable "on_replace" {
  description = "What to do with the old image after its source has moved: `delete`, `keep` or `retag`."
  type        = string
  default     = "delete"
}

variable "on_destroy" {
  description = "What to do with the image when it is removed: `delete`, `keep` or `refuse`. Apply a new value first."
  type        = string
  default     = "delete"
}

variable "source_unavailable" {
  description = "If the source is not reachable or lacks the image: `error` fails, `use_destination` goes on."
  type        = string
  default     = "error"
}

variable "lock_file" {
  description = "File of `imagesync lock`, like `images.lock.json`. It provides the digest."
  type        = string
  default     = ""
}

variable "verify" {
  description = "How a plan checks the destination: `tag` compares the digest, `deep` every manifest and blob too."
  type        = string
  default     = "tag"
}

variable "explain" {
  description = "What a plan says about a change: `all`, `words` without sizes, or only `drift` from outside."
  type        = string
  default     = "all"
}

variable "allowed_sources" {
  description = "Patterns of allowed sources, like `docker.io/library/*`. `**` also matches a `/`."
  type        = list(string)
  default     = ["**"]
}

variable "require_digest" {
  description = "Whether the source must have a digest, or be pinned by `lock_file`."
  type        = bool
  default     = false
}

variable "required_platforms" {
  description = "Platforms that the copied image must have, like `[\"linux/amd64\"]`."
  type        = list(string)
  default     = []
}

variable "max_size_bytes" {
  description = "Maximum size of the copied image in bytes, all platforms together. 0 sets no limit."
  type        = number
  default     = 0
}

variable "require_signature" {
  description = "Whether the image must have a signature. Signatures are not verified."
  type        = bool
  default     = false
}
