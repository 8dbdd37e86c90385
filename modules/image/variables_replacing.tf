variable "overwrite" {
  description = "Whether another image under the tag is replaced: `always`, `ours` (put there by us) or `never`."
  type        = string
  default     = "always"
}

variable "keep_as" {
  description = "With `on_replace = \"retag\"`, the tag that the old image gets before its own tag moves on."
  type        = string
  default     = "{tag}-{date}-{digest}"
}

variable "keep_last" {
  description = "With `on_replace = \"retag\"`, how many old images stay. Without it, all."
  type        = number
  default     = null
}
