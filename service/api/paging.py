"""Query parameters of paginated lists."""

from typing import Annotated

from fastapi import Query

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

PageSize = Annotated[int, Query(ge=1, le=200, description="most items per page")]
PageToken = Annotated[
    str | None, Query(pattern=f"^{UUID}$", description="`next_page_token` of the previous page")
]
