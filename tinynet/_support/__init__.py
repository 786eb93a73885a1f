"""What the rooms above share: names for classes, arrays and views, input checks, fields."""
