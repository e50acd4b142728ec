package vision

import "encoding/binary"

// upright turns a picture as ImageOps.exif_transpose does.
func upright(p *Picture, orientation int) *Picture {
	if orientation < 2 || orientation > 8 {
		return p
	}
	w, h := p.Width, p.Height
	out := newPicture(w, h, p.Channels)
	if orientation >= 5 {
		out.Width, out.Height = h, w
	}
	for y := range out.Height {
		for x := range out.Width {
			sx, sy := x, y
			switch orientation {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			c := p.Channels
			copy(out.Pix[(y*out.Width+x)*c:][:c], p.Pix[(sy*w+sx)*c:][:c])
		}
	}
	return out
}

// exifOrientation reads tag 0x0112 of the first directory of a TIFF block; 1
// where it is absent or damaged.
func exifOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := int64(order.Uint32(tiff[4:]))
	if at+2 > int64(len(tiff)) {
		return 1
	}
	n := int(order.Uint16(tiff[at:]))
	for i := range n {
		entry := at + 2 + 12*int64(i)
		if entry+12 > int64(len(tiff)) {
			return 1
		}
		e := tiff[entry:]
		const tagOrientation, typeShort = 0x0112, 3
		if order.Uint16(e) == tagOrientation && order.Uint16(e[2:]) == typeShort && order.Uint32(e[4:]) == 1 {
			if v := int(order.Uint16(e[8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}
