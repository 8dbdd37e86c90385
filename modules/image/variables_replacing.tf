variable "overwrite" {
  description = <<-EOT
    Whether another image under the tag is replaced: `always`, `never`, or only `ours`: one put there by us.
  EOT
  type        = string
  default     = "always"
}

variable "keep_as" {
  description = "With `on_replace = \"retag\"`, the tag for an old image, with `{tag}`, `{date}` and `{digest}`."
  type        = string
  default     = "{tag}-{date}-{digest}"
}

variable "keep_last" {
  description = "With `on_replace = \"retag\"`, how many old images to keep. Null keeps all."
  type        = number
  default     = null
}
