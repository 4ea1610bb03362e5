"""Files that services keep: streamed into a folder or S3-compatible storage, and out of it again.

```python
objects = objects_from(process.load(ObjectsSettings))
stored = await objects.put("images/1/content", chunks, max_bytes=limit)  # Stored(size, sha256)
async for chunk in objects.read("images/1/content", start=0, end=1024): ...
```
"""

from chargebus_objects.errors import NoRoomError, NoSuchObjectError, ObjectsAwayError, ObjectsError, TooLargeError
from chargebus_objects.objects import Listed, Objects, Stored
from chargebus_objects.places import UnusableUrlError, objects_from
from chargebus_objects.settings import ObjectsSettings

__all__ = [
    "Listed",
    "NoRoomError",
    "NoSuchObjectError",
    "Objects",
    "ObjectsAwayError",
    "ObjectsError",
    "ObjectsSettings",
    "Stored",
    "TooLargeError",
    "UnusableUrlError",
    "objects_from",
]
