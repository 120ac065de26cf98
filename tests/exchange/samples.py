"""Sidecars as other programs write them: prefixes, forms and habits of each, with values made up."""

LIGHTROOM = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0-c000 1.000000">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
   xmp:Rating="3"
   crs:Exposure2012="+0.35">
   <dc:description>
    <rdf:Alt>
     <rdf:li xml:lang="x-default">Our holiday</rdf:li>
     <rdf:li xml:lang="de">Unser Urlaub</rdf:li>
    </rdf:Alt>
   </dc:description>
   <dc:subject>
    <rdf:Bag>
     <rdf:li>beach</rdf:li>
     <rdf:li>Portugal</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <crs:ToneCurvePV2012>
    <rdf:Seq>
     <rdf:li>0, 0</rdf:li>
    </rdf:Seq>
   </crs:ToneCurvePV2012>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""

# With a declaration, other prefixes, a comment, two descriptions, and no description of the photo.
DARKTABLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- written by another program -->
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <r:Description r:about="" xmlns:darktable="http://darktable.sf.net/"
   darktable:auto_presets_applied="1">
   <darktable:history><r:Seq><r:li darktable:num="0" darktable:operation="exposure"/></r:Seq></darktable:history>
  </r:Description>
  <r:Description r:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="-1"/>
 </r:RDF>
</x:xmpmeta>
"""

# Packet wrappers, no xmpmeta, and the two properties in forms that are wrong but found.
PLAIN = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 <rdf:Description rdf:about="uuid:1" xmlns:d="http://purl.org/dc/elements/1.1/" d:description="A caf\u00e9 &amp; more">
  <d:subject>alone</d:subject>
 </rdf:Description>
</rdf:RDF>
<?xpacket end="w"?>
""".encode()

ALL = {"lightroom": LIGHTROOM, "darktable": DARKTABLE, "plain": PLAIN}
