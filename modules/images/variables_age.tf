# How old an image must be to be taken.

variable "minimum_age" {
  description = <<-EOT
    How old an image must be to be taken, like `72h` or `3d`. One that has moved waits: the mirror keeps what it has,
    and the plan says until when. Needs a `destination_prefix` that is known at plan. Empty takes any age.
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
  description = "Whether an image without a mirror must be old enough too (`wait`, the plan fails) or not (`take`)."
  type        = string
  default     = "wait"
  nullable    = false

  validation {
    condition     = contains(["wait", "take"], var.minimum_age_new)
    error_message = "minimum_age_new is \"wait\" or \"take\"; it is ${jsonencode(var.minimum_age_new)}."
  }
}

variable "minimum_age_by_created" {
  description = "Whether what an image says of itself counts where nothing better tells its age. Anyone can write that."
  type        = bool
  default     = false
  nullable    = false
}

variable "ignore_age_for" {
  description = "Digests that are taken at any age, like that of a security fix."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for digest in var.ignore_age_for : can(regex("^sha(256|512):[0-9a-f]{64,128}$", digest))])
    error_message = "Each of ignore_age_for is like \"sha256:…\"; they are ${jsonencode(var.ignore_age_for)}."
  }
}
