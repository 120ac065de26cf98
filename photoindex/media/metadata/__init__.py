"""What is known of a photo besides its pixels: read from the file, from sidecars beside it, from its name and place.

exif, xmp, iptc   one way of writing metadata each: from bytes to fields
text              one clean line of text, and which texts cameras write that nobody meant
dates             dates as EXIF, XMP, IPTC and file names write them; which of them are nonsense
takeout           the same of Google Takeout's JSON; takeoutnames tells which belongs to which photo
sidecars          finds the XMP and JSON files beside a photo and tells when they have changed
read              all of these together for one photo, in a decode worker
places            names of places from positions, offline
"""
