# What becomes of another image that a tag has.

variable "overwrite" {
  description = <<-EOT
    What to do if a destination's tag has another image: `always` replaces it, `ours` replaces it only if this
    configuration put it there, and `never` keeps it. A plan that may not replace an image fails.
  EOT
  type        = string
  default     = "always"
  nullable    = false

  validation {
    condition     = contains(["always", "ours", "never"], var.overwrite)
    error_message = "overwrite is \"always\", \"ours\" or \"never\"; it is ${jsonencode(var.overwrite)}."
  }
}

variable "keep_as" {
  description = <<-EOT
    With `on_replace = "retag"`, the tag for an old image. It has each of these once: `{tag}`, `{date}` (of the
    replacement) and `{digest}` (its first 12 characters).
  EOT
  type        = string
  default     = "{tag}-{date}-{digest}"
  nullable    = false

  validation {
    condition = can(regex("^\\w[\\w.-]*$", replace(var.keep_as, "/{(tag|date|digest)}/", "x"))) && alltrue([
      for field in ["{tag}", "{date}", "{digest}"] : length(split(field, var.keep_as)) == 2
    ])
    error_message = "keep_as is like \"{tag}-{date}-{digest}\", with all three; it is ${jsonencode(var.keep_as)}."
  }
}

variable "keep_last" {
  description = "With `on_replace = \"retag\"`, how many old images of each tag to keep. Null keeps all."
  type        = number
  default     = null

  validation {
    condition     = var.keep_last == null ? true : var.keep_last >= 0 && floor(var.keep_last) == var.keep_last
    error_message = "keep_last is a number of images, or null for all."
  }
}
