# The rules for values are those of ../images, which has the whole story of each variable too.

variable "source_image" {
  description = "Where the image comes from, like `docker.io/library/busybox:1.36`, or by digest."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^\\S+$", var.source_image))
    error_message = "source_image is like \"docker.io/library/busybox:1.36\"; it is ${jsonencode(var.source_image)}."
  }
}

variable "destination_image" {
  description = "Where it goes, like `registry.example.com/app:1.0`, or `:1.0` after a `destination_prefix`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[^\\s@]*[^\\s@/:]$", var.destination_image))
    error_message = "destination_image is like \"localhost/app:1.0\"; it is ${jsonencode(var.destination_image)}."
  }
}

variable "destination_prefix" {
  description = "How the destination begins, like `registry.example.com/mirror`. May be known only at apply."
  type        = string
  default     = ""
}

variable "platforms" {
  description = "Which platforms are copied, like `[\"linux/amd64\"]`. An empty list copies all that the source has."
  type        = list(string)
  default     = []
}

variable "referrers" {
  description = "Whether signatures, SBOMs and attestations are copied and removed with the image."
  type        = bool
  default     = false
}

variable "wait_for" {
  description = "Any value of what must exist before the copy. A `depends_on` of the module fails the plan."
  type        = any
  default     = null
}

variable "command" {
  description = "The program that runs imagesync, like `[\"python3\", \"imagesync.pyz\"]`. No shell runs."
  type        = list(string)
  default     = ["imagesync"]
}

variable "on_replace" {
  description = "What becomes of the old image when its source has moved: `delete`, `keep` or `retag`."
  type        = string
  default     = "delete"
}

variable "on_destroy" {
  description = "What becomes of the image when it is removed: `delete`, `keep` or `refuse`. Apply it first."
  type        = string
  default     = "delete"
}

variable "source_unavailable" {
  description = "Whether a plan fails when the source is away (`error`), or goes on (`use_destination`)."
  type        = string
  default     = "error"
}

variable "lock_file" {
  description = "A file that `imagesync lock` has written, like `images.lock.json`: it gives the digests."
  type        = string
  default     = ""
}

variable "verify" {
  description = "How a plan looks at the destination: at the `tag`, or `deep`, at every manifest and blob."
  type        = string
  default     = "tag"
}

variable "explain" {
  description = "What a plan says of a change: `all`, `words` without sizes, or only `drift` from outside."
  type        = string
  default     = "all"
}

variable "allowed_sources" {
  description = "Patterns that the source must match one of, like `docker.io/library/*`; `**` crosses a `/`."
  type        = list(string)
  default     = ["**"]
}

variable "require_digest" {
  description = "Whether the source must name its digest, or be pinned by `lock_file`."
  type        = bool
  default     = false
}

variable "required_platforms" {
  description = "Platforms that the image must have as it arrives, like `[\"linux/amd64\"]`."
  type        = list(string)
  default     = []
}

variable "max_size_bytes" {
  description = "How many bytes the image may have as it arrives, all platforms together. 0 sets no limit."
  type        = number
  default     = 0
}

variable "require_signature" {
  description = "Whether the image must have a signature. Signatures are not verified."
  type        = bool
  default     = false
}
