# What is refused: imagesync says why, in sentences; here they get the name of their entry.

locals {
  # By the source and the configuration, known whatever the prefix is; and by the destination and the image itself.
  # One text for several rules, for each precondition costs a plan of 500 images a fifth of a second.
  refused = {
    for name in keys(local.entries) : name => join("\n\n", [
      for why in concat(
        local.digests[name] != "" || local.wanted[name].error == "" ? [] : [
          "the source ${local.shown_source[name]} is ${local.wanted[name].kind}: ${local.wanted[name].error}"
        ],
        try(local.wanted[name].refused, []),
        try(local.trusted[name].refused, []),
      ) : "images[${jsonencode(name)}]: ${why}"
    ])
  }
  objections = {
    for name in keys(local.entries) : name =>
    join("\n\n", [
      for why in concat(
        try(local.present[name].refused, []), try(local.foreign[name], []), try(local.wait[name], []),
      ) :
      "images[${jsonencode(name)}]: ${why}"
    ])
  }

  # A message with a sensitive value would be withheld, with a warning for each. What is shown here is no secret.
  shown_prefix      = try(nonsensitive(var.destination_prefix), var.destination_prefix)
  shown_source      = { for name, image in local.entries : name => try(nonsensitive(image.source), image.source) }
  shown_destination = { for name, place in local.destinations : name => try(nonsensitive(place), place) }
}

check "source_available" {
  assert {
    condition = length(local.unavailable) == 0
    error_message = join("\n\n", concat(
      [
        for key in setsubtract(local.unlisted, local.unpicked) : join("", [
          "images[${jsonencode(key)}]: the tags are ", local.lists[key].kind, ", so the images that were picked last ",
          "stay as they are (${join(", ", local.picks[key][*].tag)}): ", local.lists[key].error,
        ])
      ],
      [
        for name in local.unavailable : join("", [
          local.shown_source[name], " is ", local.wanted[name].kind, ", so ",
          local.shown_destination[name], local.stays_how[name], ": ", local.wanted[name].error,
        ]) if !contains(local.unlisted, local.entries[name].answer) || local.damage[name] != ""
      ],
    ))
  }
}
