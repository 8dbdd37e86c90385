# How old an image must be to be taken.

variable "minimum_age" {
  description = <<-EOT
    Minimum age before an image is copied, like `72h` or `3d`. If a source's tag moves to a younger image, the
    destination keeps the old one, and the plan says until when. Needs a `destination_prefix` that is known at plan.
    Empty accepts any age.
  EOT
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^$|^[0-9]{1,5}[mhd]$", var.minimum_age))
    error_message = "minimum_age is like \"72h\" or \"3d\"; it is ${jsonencode(var.minimum_age)}."
  }
}

variable "minimum_age_new" {
  description = "What to do with a young image that has no mirror yet: `wait` fails the plan, `take` copies it."
  type        = string
  default     = "wait"
  nullable    = false

  validation {
    condition     = contains(["wait", "take"], var.minimum_age_new)
    error_message = "minimum_age_new is \"wait\" or \"take\"; it is ${jsonencode(var.minimum_age_new)}."
  }
}

variable "minimum_age_by_created" {
  description = "Whether the creation time in an image counts if nothing else shows its age. Anyone can write it."
  type        = bool
  default     = false
  nullable    = false
}

variable "ignore_age_for" {
  description = "Digests to accept at any age, such as a security fix."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for digest in var.ignore_age_for : can(regex("^sha(256|512):[0-9a-f]{64,128}$", digest))])
    error_message = "Each of ignore_age_for is like \"sha256:…\"; they are ${jsonencode(var.ignore_age_for)}."
  }
}
