"""SSD's databases of images with boxes: read, sampled, distorted, resized and written.

The rows of an image's boxes are float32 arrays (n, 7): class, instance, xmin, ymin, xmax, ymax as shares of the image,
and 1 where the box is difficult.
"""
