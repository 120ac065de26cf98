"""The gallery in a browser: pages, and the JSON API that they run on. It knows the library's gallery alone, and is the
only package that imports Starlette, uvicorn and Jinja2 (``pip install 'photoindex[web]'``)."""
