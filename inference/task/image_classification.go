package task

// image-classification scores the classes of a picture.
func init() { register(Task{Name: "image-classification", Modality: "image", Finish: classify}) }
